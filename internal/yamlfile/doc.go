// Package yamlfile reads a server's configuration file as strictly as a form: every mistake is reported at once, with line, column and cure,
// because each round of "fix one, start again" at a bureau costs a change request.
//
// An unknown key is a mistake, and so are repeated keys, anchors, aliases, merge keys, tags and text that looks like a number without quotes: what
// the reader of the file sees is what holds.
//
// [Load] and [Parse] take a file up to its one mapping; [Table] and its methods read keys and report what is wrong to the [Reader]; [Reader.Err] gives
// the report. A read of something absent or wrong gives the zero value or the one for that case, so that a caller reads everything first and asks for
// mistakes once.
package yamlfile
