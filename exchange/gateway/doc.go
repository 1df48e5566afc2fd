// Package gateway is the exchange as REST over HTTPS, for callers that cannot speak gRPC.
//
// It decides nothing. Every request becomes a call to the exchange's own gRPC server over an in-memory connection, in the name of the
// certificate that the caller proved to hold, and so passes the same authentication, decisions and records as any other. That holds for
// requests which cannot be translated as well: they are sent on as a message that does not decode, so that a caller who probes with broken JSON
// stands in the access log like one who probes with broken protobuf, and a caller without an identity learns nothing about formats.
//
// What REST callers see:
//
//   - Messages are proto3 JSON with lowerCamelCase names; 64-bit integers are strings, bytes are base64. Unknown fields and unknown URL parameters
//     are refused, and so is a body that is not application/json: a browser can be made to post a form across sites with its user's certificate, but
//     not JSON.
//   - A JSON answer of QueryResource stands inline, "answer": [...], byte for byte as the province sent it, so that its digest can be checked on the
//     raw text of that value. Any other answer is a base64 string; an inline answer is always an array or an object, so that the two cannot be mixed up.
//   - ExportResource gives one JSON message a line: {"result": {"header": ...}}, {"result": {"chunk": {"data": base64}}}, and so on to the
//     trailer. The data stays base64, because lines inside lines would be neither exact bytes nor rows. A stream that breaks off ends
//     with {"error": ...}; one without trailer or error was cut.
//   - An error is a google.rpc.Status with its details, under the HTTP status of its code.
//   - Of the request's headers only Accept, Content-Type and Grpc-Timeout mean anything; none reaches the gRPC server.
//   - /openapi.json describes all this and is there for anybody: it is in the public repository too.
//
// Nothing of a body, a parameter or a path is logged; what happened stands in the access log.
//
// Reading order: gateway.go, request.go (what is taken), place.go (how much of it, and from whom), route.go, refuse.go (what is not), message.go
// (how answers look), export.go, openapi.go.
package gateway
