// Package certs answers one question: who is calling.
//
// Every party is named by a SPIFFE ID and proves it with an X.509 certificate (an SVID) over mutual TLS 1.3. Each province is a trust
// domain of its own with its own certification authority:
//
//	spiffe://<exchange domain>/exchange          the exchange
//	spiffe://<exchange domain>/admin/<name>      its administrators
//	spiffe://<province domain>/node              a province's node
//	spiffe://<province domain>/app/<name>        an application system of that province
//	spiffe://<province domain>/operator/<name>   a person of the bureau
//	spiffe://<any member domain>/auditor/<name>  an auditor
//
// An SVID is checked against the bundle (the authorities) of the trust domain its own ID names and against no other: the authority of
// one province can therefore never vouch for a caller of another, whatever it signs.
//
// Three decisions that the rest of the code leans on:
//
//   - The TLS handshake asks for a certificate and proves that the caller holds its key, but judges nothing. The judgement is made
//     right after and handed to the RPC by [PeerFromContext], so that a wrong caller gets an error that says what is wrong, and an
//     expired one a record, where a TLS alert would give neither. The price: a connection is no proof of identity. A handler that does
//     not ask PeerFromContext has let in the whole network, so one interceptor asks for all of them.
//   - The judgement is made again when the certificate's validity passes or the federated bundles change. A member whose authority was
//     removed is cut off on connections that are already open, at the next call; a long-lived stream asks again for each batch.
//   - REST calls arrive over an in-memory connection with the caller's chain in the metadata ([Memory], [Forward]). That metadata is
//     honoured only on a connection which is of this package's own Go type: bytes from a network cannot make one.
//
// Reading order: id.go (names), verify.go (is this chain that ID), caller.go and peer.go (one connection's caller, over time), server.go
// and client.go (gRPC credentials), memory.go and forward.go (REST), bundle.go (whom to trust), source.go with files.go and workload.go
// (one's own identity), inspect.go (what a PEM file holds). The development authority is in the subpackage devca.
package certs
