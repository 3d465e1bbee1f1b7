/** Rendered on the server, where the package can be imported but none of it runs. */
import { Chat } from "./chat";

export default function Page() {
  return <Chat />;
}
