/**
 * Lets the event loop run once, so that messages that have arrived (above all a cancel) are handled.
 *
 * A MessageChannel does this without the 4 ms that browsers add to nested timeouts; a promise would not do it at all.
 */
let channel: MessageChannel | undefined;
const waiting: (() => void)[] = [];

export function yieldToEventLoop(): Promise<void> {
  if (channel === undefined) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => {
      waiting.shift()?.();
    };
  }
  const { port2 } = channel;
  return new Promise((resolve) => {
    waiting.push(resolve);
    port2.postMessage(null);
  });
}
