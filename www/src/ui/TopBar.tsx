/** The running model and its device, and the way to change the model. */
import type { LocalEngine } from "hearth-llm";
import type { JSX } from "preact";
import { answering } from "../state/chat.js";
import { banner, isEmulated, useCpu } from "../state/banner.js";
import { backend, role, runningName } from "../state/model.js";
import { placeOf, placeText } from "../state/place.js";
import { isOffline, messagesSent } from "../state/trust.js";
import { t } from "../text/index.js";
import { dialog } from "./dialogs.js";
import { Icon, IconButton } from "./icons.js";
import { isSidebarOpen, openSidebar } from "./Sidebar.js";

export function TopBar(): JSX.Element {
  const running = backend.value;
  const local = running?.local;
  const speed = answering.value?.stats.value?.tokensPerSecond;
  return (
    <header class="top">
      <span class="only-narrow">
        <IconButton
          id="menu"
          name="menu"
          label={t().conversations}
          isExpanded={isSidebarOpen.value}
          onClick={openSidebar}
        />
      </span>
      {running !== undefined && (
        <button
          id="change-model"
          type="button"
          class="pill model"
          title={t().changeModel}
          onClick={() => {
            dialog.value = "models";
          }}
        >
          <span>{runningName(running)}</span>
        </button>
      )}
      {running !== undefined && (
        <button
          id="device"
          type="button"
          class="pill"
          data-kind={local === undefined ? placeOf(running).where : isEmulated(local) ? "emulated" : local.device.kind}
          title={t().performance}
          onClick={() => {
            dialog.value = "performance";
          }}
        >
          <span class="dot" aria-hidden="true" />
          <span id="device-label">{local === undefined ? placeText(placeOf(running)) : deviceLabel(local)}</span>
          {role.value === "follower" && <span class="elsewhere">{t().otherTab}</span>}
          {speed != null && <span class="live">{`${speed.toFixed(1)} tok/s`}</span>}
        </button>
      )}
      <TrustButton />
    </header>
  );
}

/** Says in a word whether anything has left this device; the dialog has the evidence. */
function TrustButton(): JSX.Element {
  const count = messagesSent.value;
  const text = count > 0 ? t().messagesSent(count) : isOffline.value ? t().offlineNow : t().nothingSent;
  return (
    <button
      id="trust"
      type="button"
      class="pill"
      aria-label={text}
      data-sent={count > 0}
      title={text}
      onClick={() => {
        dialog.value = "trust";
      }}
    >
      <Icon name="shield" />
      <span class="trust-text">{text}</span>
    </button>
  );
}

export function Banner(): JSX.Element | null {
  const { texts, canUseCpu } = banner.value;
  if (texts.length === 0) return null;
  return (
    <div id="banner" class="banner" role="status">
      {texts.map((text) => (
        <div key={text}>{text}</div>
      ))}
      {canUseCpu && (
        <button id="use-cpu" type="button" class="quiet" onClick={useCpu}>
          {t().cpuInstead}
        </button>
      )}
    </div>
  );
}

export function deviceName({ device }: LocalEngine): string {
  const { name, vendor, architecture, kind } = device;
  return name || [vendor, architecture].filter(Boolean).join(" ") || (kind === "webgpu" ? t().unnamedGpu : "CPU");
}

/** A CPU's name shows what it is; a GPU's does not show that WebGPU runs it. */
function deviceLabel(local: LocalEngine): string {
  const name = deviceName(local);
  return local.device.kind === "webgpu" ? `WebGPU · ${name}` : name;
}
