// Package evidence holds the byte formats that requester, exchange and provider must agree on so that each can contradict the others: how
// records are encoded, how parameters and answers are digested, and how receipts are checked. It imports no storage and no server.
//
// # Record
//
// A record is the deterministic protobuf encoding of kuasheng.audit.v1.Record with a 16-byte random salt. What counts afterwards are the exact
// bytes: nobody encodes a record again to compare it. Decoding is strict: fields and enum values that this version does not know are refused, because
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
//	  → 5051088f4d3e5aa00050bf6d7bb318e8d990dadf4de38ed9e38775f3a13bf0c1
//	no parameters
//	  → 9bd0b4654d9755944168028fb002b44d46d140a95043f192c009aa831c2c8616
//	media type "application/json", answer {"rows":[]}
//	  → f3924ce145186fce24813fc1464a846dfdb58a024d4920df2e7e0a33b42e7974
package evidence
