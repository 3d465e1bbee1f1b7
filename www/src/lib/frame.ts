/** A picture from a film that is running. */

/** Quality of the file. The camera's own film has lost more than that. */
const QUALITY = 0.95;

/** Returns the frame that a video shows, in the camera's own size; undefined if there is none yet. */
export async function frameOf(video: HTMLVideoElement): Promise<Blob | undefined> {
  const { videoWidth: width, videoHeight: height } = video;
  if (width === 0 || height === 0) return undefined;
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  canvas.getContext("2d")?.drawImage(video, 0, 0);
  return await new Promise((resolve) => {
    canvas.toBlob(
      (blob) => {
        resolve(blob ?? undefined);
      },
      "image/jpeg",
      QUALITY,
    );
  });
}
