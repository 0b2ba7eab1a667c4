"""Reads one frame of a packed file by its documentation: read_packed.py FILE FRAME OUT writes the pixels of image,
segmentation, normals and depth as they lie in memory, one after the other."""
import json
import sys
import zlib

try:
    import cv2
    import h5py
    import numpy as np
except ImportError as error:
    print(error)
    sys.exit(77)  # the test that runs this is skipped


def planes(stream, count):
    rows = cv2.imdecode(np.frombuffer(stream, np.uint8), cv2.IMREAD_UNCHANGED)
    return rows.reshape(count, rows.shape[0] // count, rows.shape[1]).astype(np.uint32)


def floats(stream):
    count, length, size = np.frombuffer(stream[:12], '<u4')
    palette, png = stream[12:12 + size], stream[12 + size:]
    coded = planes(png, count)
    words = sum(coded[p] << np.uint32(8 * p) for p in range(count))
    if length:
        steps = np.frombuffer(zlib.decompress(palette), np.uint8).reshape(4, length).astype(np.uint32)
        bits = np.cumsum(sum(steps[p] << np.uint32(8 * p) for p in range(4)), dtype=np.uint32)
        words = bits[words]
    return words.astype('<u4').view('<f4')


def read(file, modality, frame):
    name, encoding = modality['name'], modality['encoding']
    if encoding == 'raw':
        return file[name][frame]
    start, end = file[name + '_offsets'][frame:frame + 2]
    stream = file[name][start:end].tobytes()
    column = [m['name'] for m in stored(file)].index(name)
    assert zlib.crc32(stream) == file['crc32'][frame, column]
    if encoding == 'labels' and modality['type'].startswith('float32'):
        return floats(stream)
    return cv2.imdecode(np.frombuffer(stream, np.uint8), cv2.IMREAD_UNCHANGED)


def stored(file):
    return [m for m in json.loads(file['metadata'][()].tobytes())['modalities'] if m['encoding'] != 'from_depth']


def main():
    path, frame, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    with h5py.File(path, 'r') as file, open(out, 'wb') as raw:
        for modality in stored(file):
            raw.write(np.ascontiguousarray(read(file, modality, frame)).tobytes())


if __name__ == '__main__':
    main()
