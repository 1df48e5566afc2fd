// Package client is what application systems import to ask the exchange: dial, query, export, and verify the proof that comes with every
// answer.
//
//	c, err := client.Dial(ctx, client.Config{
//		Address:  "exchange.example:8443",
//		Exchange: exchangeID, // certs.ParseID("spiffe://exchange.example/exchange")
//		Identity: certs.Files{SVID: "svid.pem", Key: "svid.key", Bundles: map[string]string{"exchange.example": "exchange.pem"}},
//		LogKey:   "exchange.example/access+…", // by hand from the exchange's operator
//	})
//	defer c.Close()
//	answer, err := c.Query(ctx, &queryv1.QueryResourceRequest{…})
//
// # What is verified
//
// An answer reaches the application only if all of this holds; what fails is an [EvidenceError] that names the step.
//
//  1. Intent receipt: the intent is in the exchange's log, under the key given in Config.LogKey.
//  2. Intent: it permits exactly this call: this caller's SPIFFE ID, this method, resource, fields in this order, purpose, operator,
//     request id and first row; and the access is named after it.
//  3. Parameters: its digest is that of the parameters sent, under the salt returned. Other parameters were neither permitted nor asked.
//  4. Answer receipt: the answer record is in the journal that the intent names, under that journal's key.
//  5. Answer: the record answers this intent, by hash, index and log.
//  6. Content: the digest is over these very bytes; the fields released are the fields asked for; masked fields, media type, sizes and row
//     count agree with the record.
//  7. History: neither log has shown this client two trees of one size, and the tree on which the province accepted the ticket is the
//     exchange's own. A log that did is believed no more for the life of the client: keep the [ForkError], it convicts.
//
// An export is verified twice: its beginning before the first row is handed over, its end (with the digest over the whole) before Export
// returns without an error. Until then the rows are provisional.
//
// # Journal keys
//
// The key of a journal comes from Config.JournalKeys if its origin is pinned there, and from no other place. Otherwise it comes from the
// exchange's registry: then the exchange vouches for the province's key, and an exchange that lies about keys could make up answers.
// Evidence.Pinned tells which it was. Pin the journals of provinces whose answers decide about people.
//
// # What is not
//
// Whether the data is true, and whether the province put other accesses on record: that is the auditors' reconciliation. Whether a
// tree grew consistently between two sizes costs a call and is checked by [Client.CheckLog], which a long-running program calls now and
// then.
//
// # Calls
//
// Nothing is retried behind the caller's back: each query is an access on record. Connections are re-established by gRPC with backoff, and
// made anew when the SVID is renewed. Nothing here logs or puts into an error any payload or parameter.
//
// Reading order: config.go, client.go, argument.go, query.go, verify.go (the steps above), journal.go, history.go, export.go, resume.go, connection.go.
package client
