import { Library } from "hearth-llm/documents";
import * as pdfjs from "pdfjs-dist";

pdfjs.GlobalWorkerOptions.workerSrc = "/pdf.worker.min.mjs";
const extractors = { pdfjs: () => Promise.resolve(pdfjs), cMapUrl: "/cmaps/" };
export const library = await Library.open({ extractors });
