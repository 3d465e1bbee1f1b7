/**
 * Folder of the tables by which pdf.js reads Chinese, Japanese and Korean; `build/on-demand.ts` puts them there. The
 * version keeps a page from reading another one's from the cache.
 */
export const CMAPS = "assets/on-demand/cmaps-5.6.205/";
