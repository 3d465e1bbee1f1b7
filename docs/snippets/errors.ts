/** Failures that a page can do something about. */
// #region catch
import { Engine, HearthError } from "hearth-llm";

export async function open(model: string, tell: (text: string) => void): Promise<Engine | undefined> {
  try {
    return await Engine.create({ model });
  } catch (error) {
    if (!(error instanceof HearthError)) throw error;
    if (error.code === "no_webgpu") return await Engine.create({ model, device: "cpu" });
    tell(`${error.message} ${error.hint}`);
    return undefined;
  }
}
// #endregion catch

export function watch(engine: Engine, tell: (text: string) => void): void {
  // #region closed
  void engine.closed.then(({ code, message }) => {
    if (code !== "disposed") tell(`The model ended: ${message}`);
  });
  // #endregion closed
}
