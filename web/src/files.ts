// Files of the reader's computer.

const chunk = 256 * 1024; // bytes

// chunksOf reads a file piece by piece, only as fast as the pieces are taken.
export async function* chunksOf(file: File): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < file.size; at += chunk) {
    yield new Uint8Array(await file.slice(at, at + chunk).arrayBuffer());
  }
}

// startOf returns the first piece of a file.
export async function startOf(file: File): Promise<{ bytes: Uint8Array; complete: boolean }> {
  return { bytes: new Uint8Array(await file.slice(0, chunk).arrayBuffer()), complete: file.size <= chunk };
}

// download saves texts as one file of the reader's computer.
export function download(name: string, texts: string[]) {
  const url = URL.createObjectURL(new Blob(texts, { type: 'text/csv;charset=utf-8' }));
  const a = document.createElement('a');
  a.href = url;
  a.download = name;
  document.body.append(a);
  a.click();
  a.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
