// Package evidence holds the byte formats that requester, exchange and provider must agree on so that each can contradict the others: how
// records are encoded, how parameters and answers are digested, and how receipts are checked. It imports no storage and no server.
//
// # Record
//
// A record is the deterministic protobuf encoding of kuasheng.audit.v1.Record with a 16-byte random salt. What counts afterwards are the exact
// bytes: nobody encodes a record again to compare it. Decoding is strict: fields that this version does not know are refused, because
// whoever decides on a record must understand all of it.
//
// # Parameters digest
//
//	SHA-256("kuasheng parameters v1\n" ‖ salt (16) ‖ count (uint32) ‖ { length (uint32) ‖ name ‖ length (uint32) ‖ value } …)
//
// Integers are big-endian, pairs in order of the bytes of their names. The exchange makes the salt, hands it to the node with the ticket and
// to the caller with the answer, and does not keep it: an identity number has few possible values, and whoever reads the exchange's log,
// its operator included, must not be able to try them.
//
// # Answer digest
//
//	SHA-256("kuasheng answer v1\n" ‖ salt (16) ‖ length (uint32) ‖ media type ‖ answer)
//
// The node makes the salt; it leaves the province with the answer and nowhere else. An export's digest is over all its rows from row 0.
//
// # Vectors
//
//	salt 000102030405060708090a0b0c0d0e0f
//	parameters {"id_number": "51010018800101001X", "since": "1890-01-01"}
//	  → c02d4e52564f387a9fcb04da22ebc9a12dcf49eb6b4e4ca3f7a1ea89fa15ed4a
//	media type "application/json", answer {"rows":[]}
//	  → 15e54b8c8ac1f8a9bb1d0d7ce6a8d2e6c96a2e6f3e5f9f6f22c1d9f2c4b5e1f4
package evidence
