// Package segment keeps a verifiable log (package translog) on disk. The exchange's access log and every node's journal
// are such logs.
//
// One committer goroutine takes all records that wait, writes them as one block with one signed checkpoint, and wakes
// those who wait when the block is durable. Segment files are the truth; everything else in the directory follows from
// them. Any error of a write is final for the process: the log stops, waiters learn whether their outcome is unknown,
// and opening it again verifies it.
//
// Reading order: doc.go, block.go, log.go (Add), committer.go, prepare.go; then open.go, replay.go, walk.go, torn.go;
// then read.go; then, for copies, verify.go, kept.go and recordreader.go.
//
// # Files
//
//	lock               held by the process that has the log open
//	segment-00000000   segments, numbered from 0 without gaps
//	derived/blocks     block index: one entry of 32 bytes per block
//	derived/tiles-LL   hashes of tree level LL (00, 08, 16, 24, 32), 32 bytes each, in order
//
// The folder derived may be deleted while the log is closed: opening writes it again. It is no evidence, with one
// exception on the safe side: an index that speaks of commits which the segments lack keeps the log from opening, since
// acknowledged records have been lost.
//
// # Segment
//
// A segment file has its full size from the start, filled with zeros. Integers are big-endian. Its first 4096 bytes:
//
//	  0   8  "KSLOGSEG"
//	  8   4  format, 1
//	 12   4  note key hash of the log's verifier
//	 16   8  number of the segment
//	 24   8  size of the file
//	 32  16  id of the log, random
//	 48   4  length of the origin
//	 52   …  origin, then zeros
//	4092  4  CRC-32C of bytes 0 to 4091
//
// Blocks follow, each at a multiple of 4096, one after the other. A block never straddles two segments: what is left of
// a segment stays zero.
//
// # Block
//
//	 0   4  "KSLB"
//	 4   4  format, 1
//	 8   8  index of the first record
//	16   8  time of the commit, nanoseconds since 1970 (UTC)
//	24   4  number of records, at least 1
//	28   4  bytes of all records with their length and kind
//	32   4  bytes of the note
//	36   4  CRC-32C of everything from byte 64 to the block's end, padding included
//	40  16  id of the log
//	56   4  zero
//	60   4  CRC-32C of bytes 0 to 59
//	64   …  records: length (4), kind (1), bytes; kind 0 is a record, others are refused
//	 …   …  signed checkpoint of the tree that ends with this block
//	 …   …  zeros up to a multiple of 4096
//
// The checksums only tell a whole write from a torn one, which is why CRC-32C is enough and SHA-256 would be wasted:
// who alters a block on purpose can make either anew, but not the checkpoint's signature, which covers every record
// through the tree. The header has a checksum of its own so that lengths are never followed before they are known to
// be as written. No signature covers it: the time in it is for operators and proves nothing.
//
// Vector: log id 00 01 … 0f, first record 7, time 1700000000000000000, records "a" and "bc", note "note\n". The block
// is 4096 bytes; these, then zeros:
//
//	4b534c4200000001000000000000000717979cfe362a0000000000020000000d
//	00000005db050ea3000102030405060708090a0b0c0d0e0f0000000096d88dae
//	000000010061000000020062636e6f74650a
//
// # Block index entry
//
//	 0   8  index of the first record
//	 8   4  number of records
//	12   8  number of the segment
//	20   4  offset of the block in it, in units of 4096
//	24   4  length of the block, in units of 4096
//	28   4  CRC-32C of the log's id and bytes 0 to 27
//
// # Crashes
//
// A block is one write, and the next is not begun before it has returned. So a crash leaves at most one torn block, at
// the very end. Opening erases what does not make up a whole block if one write cut short can have left it; if it is
// more, or signed by the log and later, that is no crash, and the log is refused (torn.go). Whole blocks that nobody
// was told of stay: their adders learnt that the outcome is unknown.
package segment
