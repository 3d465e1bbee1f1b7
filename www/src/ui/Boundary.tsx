/** Keeps an exception in its children from taking down the whole page. */
import { Component, type ComponentChildren, type JSX } from "preact";
import { t } from "../text/index.js";
import { ErrorCard } from "./ErrorCard.js";

interface State {
  failed: { error: unknown } | undefined;
}

export class Boundary extends Component<{ children: ComponentChildren }, State> {
  override state: State = { failed: undefined };

  static override getDerivedStateFromError(error: unknown): State {
    return { failed: { error } };
  }

  override render(): JSX.Element {
    const { failed } = this.state;
    if (failed === undefined) return <>{this.props.children}</>;
    const again = (): void => {
      this.setState({ failed: undefined });
    };
    return <ErrorCard error={failed.error} actions={[{ label: t().tryAgain, run: again }]} />;
  }
}
