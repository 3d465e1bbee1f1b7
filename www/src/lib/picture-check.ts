/** Whether the browser knows the format of a picture. */

/** Returns whether the browser draws a picture; only its beginning is decoded, however large it is. */
export async function canDraw(blob: Blob): Promise<boolean> {
  const url = URL.createObjectURL(blob);
  try {
    return await new Promise<boolean>((resolve) => {
      const image = new Image();
      image.onload = () => {
        resolve(image.naturalWidth > 0);
      };
      image.onerror = () => {
        resolve(false);
      };
      image.src = url;
    });
  } finally {
    URL.revokeObjectURL(url);
  }
}
