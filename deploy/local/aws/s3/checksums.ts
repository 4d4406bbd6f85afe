/** The checksums that S3 keeps with an object, computed as its bytes come in. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

export const checksumAlgorithms = ['crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256'] as const;
export type ChecksumAlgorithm = (typeof checksumAlgorithms)[number];

export interface Checksum {
  update(bytes: Buffer): void;
  /** Base64, as it travels in headers. */
  digest(): string;
}

export function createChecksum(algorithm: ChecksumAlgorithm): Checksum {
  switch (algorithm) {
    case 'crc32':
      return createCrc32();
    case 'crc32c':
      return createCrc32c();
    case 'crc64nvme':
      return createCrc64();
    case 'sha1':
    case 'sha256': {
      const hash = createHash(algorithm);
      return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest('base64') };
    }
  }
}

function createCrc32(): Checksum {
  let state = 0;
  return {
    update(bytes) {
      state = crc32(bytes, state);
    },
    digest: () => bigEndian(state),
  };
}

const castagnoli = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit += 1) {
    remainder = remainder & 1 ? (remainder >>> 1) ^ 0x82f63b78 : remainder >>> 1;
  }
  return remainder;
});

function createCrc32c(): Checksum {
  let state = 0xffffffff;
  return {
    update(bytes) {
      for (const byte of bytes) state = at(castagnoli, (state ^ byte) & 0xff) ^ (state >>> 8);
    },
    digest: () => bigEndian(~state),
  };
}

/** The reflected NVMe polynomial's table, as two halves of 32 bits: JavaScript has no fast 64-bit integers. */
const nvme = (() => {
  const high = new Uint32Array(256);
  const low = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte += 1) {
    let remainder = BigInt(byte);
    for (let bit = 0; bit < 8; bit += 1) {
      remainder = remainder & 1n ? (remainder >> 1n) ^ 0x9a6c9329ac4bc9b5n : remainder >> 1n;
    }
    high[byte] = Number(remainder >> 32n);
    low[byte] = Number(remainder & 0xffffffffn);
  }
  return { high, low };
})();

function createCrc64(): Checksum {
  let high = 0xffffffff;
  let low = 0xffffffff;
  return {
    update(bytes) {
      for (const byte of bytes) {
        const index = (low ^ byte) & 0xff;
        low = ((low >>> 8) | (high << 24)) ^ at(nvme.low, index);
        high = (high >>> 8) ^ at(nvme.high, index);
      }
    },
    digest: () => bigEndian(~high, ~low),
  };
}

function at(table: Uint32Array, index: number): number {
  return table[index] ?? 0;
}

function bigEndian(...words: readonly number[]): string {
  const bytes = Buffer.alloc(4 * words.length);
  words.forEach((word, index) => bytes.writeUInt32BE(word >>> 0, 4 * index));
  return bytes.toString('base64');
}
