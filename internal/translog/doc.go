// Package translog is the verifiable log on which every access is put on record: its hashing, its signed
// checkpoints, and its proofs with their verification. It touches no file and no network, so that an auditor's
// tool can link it alone; package segment keeps such a log on disk.
//
// # Hashing
//
// The tree is the Merkle tree of RFC 6962 (SHA-256). Its entries are not the records but commitments to them:
//
//	commitment = SHA-256("kuasheng record v1\n" ‖ record)      the tree's entry, 32 bytes
//	leaf       = SHA-256(0x00 ‖ commitment)
//	node       = SHA-256(0x01 ‖ left ‖ right)
//	empty tree = SHA-256("")
//
// A record carries 16 random bytes of its own. Without them anyone who sees the tree could try out the few values a
// record may hold; with them the tree can be shown to the world, and a record can be deleted after its retention
// while the tree stays verifiable.
//
// Vector: record = the 25 bytes 00 01 02 … 0f followed by "kuasheng!":
//
//	commitment cc9273c4d53b5d4e7b1d948d35aad9a9c0267843fbfc34e991745e98f8857ef4
//	leaf       6e9106658b448182fb0af5d9b0e01ed6f027c3936580d6961d2f70b662ffa1c3
//
// # Checkpoints
//
// A checkpoint is a C2SP tlog-checkpoint, a signed note whose text is exactly three lines: the origin, the size in
// decimal, the root in standard base64. The Ed25519 key's name is the origin. Extension lines are refused: this log
// writes none, and what nobody interprets nobody should sign. Signatures of other keys (witnesses) may follow.
//
// # Edges and range proofs
//
// The [Edge] of a tree of size m is the list of its maximal perfect subtrees, left to right: one hash per set bit of
// m. It is all a follower must keep: from it and a range proof follows the edge of any larger tree.
//
// A range proof from m to n for target leaves at indexes in [m, n) walks from m to n. At position p it steps over
//
//   - the target leaf at p, if there is one: its hash is the verifier's own, the proof holds nothing for it;
//   - otherwise the largest perfect subtree [p, p+2^k) with p a multiple of 2^k that ends at or before n and before
//     the next target: the proof holds its hash.
//
// The proof is the list of these hashes, left to right, and nothing else. Subtrees that straddle m are never steps:
// their left part comes from the verifier's own edge, and that is what makes the proof one of consistency. Example:
// m = 3, n = 8, target 5 gives the steps [3,4) [4,5) target [6,8), a proof of three hashes.
package translog
