import type { Theme } from "vitepress";
import DefaultTheme from "vitepress/theme";
import AskDocs from "./AskDocs.vue";

export default {
  extends: DefaultTheme,
  enhanceApp: ({ app }) => {
    app.component("AskDocs", AskDocs);
  },
} satisfies Theme;
