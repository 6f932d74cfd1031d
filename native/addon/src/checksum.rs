//! CRC-32 as zlib(3) has it. Node's own comes with the whole of its streams, which core's start would load for nothing else.

use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;

const REVERSED: u32 = 0xedb8_8320;

/// For each byte what it does to the sum, and what it does with so many zero bytes behind it.
const TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { REVERSED ^ (sum >> 1) } else { sum >> 1 };
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[zeros - 1][byte];
            tables[zeros][byte] = tables[0][(before & 0xff) as usize] ^ (before >> 8);
            byte += 1;
        }
        zeros += 1;
    }
    tables
}

/// The sum of bytes that follow others whose sum is `before` (0: none do).
#[napi]
pub fn crc32(bytes: Uint8Array, before: Option<u32>) -> u32 {
    !bytes_of(&bytes, !before.unwrap_or(0))
}

fn bytes_of(bytes: &[u8], mut sum: u32) -> u32 {
    let (eights, rest) = bytes.as_chunks::<8>();
    for eight in eights {
        let low = sum ^ u32::from_le_bytes([eight[0], eight[1], eight[2], eight[3]]);
        let at = |table: usize, byte: u32| TABLES[table][(byte & 0xff) as usize];
        sum = at(7, low)
            ^ at(6, low >> 8)
            ^ at(5, low >> 16)
            ^ at(4, low >> 24)
            ^ TABLES[3][usize::from(eight[4])]
            ^ TABLES[2][usize::from(eight[5])]
            ^ TABLES[1][usize::from(eight[6])]
            ^ TABLES[0][usize::from(eight[7])];
    }
    for byte in rest {
        sum = TABLES[0][((sum ^ u32::from(*byte)) & 0xff) as usize] ^ (sum >> 8);
    }
    sum
}
