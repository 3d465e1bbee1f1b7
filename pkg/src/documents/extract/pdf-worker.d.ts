/** Worker of pdf.js, which has no types: imported, it defines `globalThis.pdfjsWorker`. */
declare module "pdfjs-dist/legacy/build/pdf.worker.mjs";
