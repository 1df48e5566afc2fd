package source

import "unicode/utf8"

// binary marks bytes of a column that the engine declares as such, to tell them from text that its driver hands over as
// bytes.
type binary []byte

// appendRow appends one row object. A value that does not fit leaves dst as it was.
func appendRow(dst []byte, columns []*column, values []any) ([]byte, error) {
	start := len(dst)
	dst = append(dst, '{')
	for i, c := range columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, c.key...)
		var err error
		if dst, err = c.write(dst, values[i]); err != nil {
			return dst[:start], err
		}
	}
	return append(dst, '}'), nil
}

// appendString appends a JSON string. Nothing is escaped that JSON does not demand, so that Chinese text stays readable
// and the bytes that digests cover do not depend on a library's taste. The two line separators of JavaScript are
// escaped, since an answer may end up in a script.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			switch {
			case r == utf8.RuneError && size == 1:
				dst = append(append(dst, s[from:i]...), "\ufffd"...)
				from = i + 1
			case r == '\u2028' || r == '\u2029':
				dst = append(append(dst, s[from:i]...), '\\', 'u', '2', '0', '2', hex[r&0xf])
				from = i + size
			}
			i += size
			continue
		}
		dst = append(dst, s[from:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
		i++
		from = i
	}
	return append(append(dst, s[from:]...), '"')
}
