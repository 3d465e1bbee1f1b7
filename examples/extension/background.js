/** A service worker cannot keep a WebGPU device for long and is ended when idle, so the engine lives in a page. */
chrome.action.onClicked.addListener(() => {
  void chrome.tabs.create({ url: "page.html" });
});
