export function tryLock(
  file: string,
  note?: object,
):
  | { release: () => void; previous?: { pid: number }; holder?: undefined }
  | { holder: { pid: number }; release?: undefined };
