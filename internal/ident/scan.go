package ident

import (
	"sort"
	"unicode"
)

// maxGap is how many separators in a row a written-out number may have inside: " - " is the longest seen in forms. More
// would join unrelated numbers of a sentence into one run.
const maxGap = 3

// ContainsCitizenID reports whether text contains a valid citizen identity number, in whatever surroundings: it keeps
// identity numbers out of case numbers and causes, which are stored in access logs that others read.
//
// It looks at digits of every script (full-width digits come out of Chinese input methods), at small and full-width X, and
// across spaces, hyphens, dots and invisible characters between the digits. Longer runs of digits are searched at
// every offset. A number that only resembles an identity number is let through; a chance match in 18 random digits is rarer
// than one in 30,000. Whoever wants to smuggle a number out can spell it in words: this stops accidents and habits.
//
// The cost is linear: one window of 18 characters slides over the text.
func ContainsCitizenID(text string) bool {
	if len(text) < len(window{}.digits) {
		return false
	}
	var w window
	for _, r := range text {
		switch c := citizenRune(r); c {
		case gap:
			w.skip()
		case other:
			w.reset()
		default:
			if w.push(c) {
				return true
			}
		}
	}
	return false
}

// window holds the last 18 digits of the run that is being read.
type window struct {
	digits [18]byte
	count  int // valid bytes in digits
	gap    int // separators since the last digit
}

func (w *window) reset() { *w = window{} }

func (w *window) skip() {
	if w.gap++; w.gap > maxGap {
		w.reset()
	}
}

// push appends a digit or X and reports whether the last 18 characters are a valid number. An X ends a run.
func (w *window) push(c byte) bool {
	w.gap = 0
	if w.count == len(w.digits) {
		copy(w.digits[:], w.digits[1:])
		w.count--
	}
	w.digits[w.count] = c
	w.count++
	// The check character comes first: it turns ten of eleven windows away without building an error.
	found := w.count == len(w.digits) && citizenCheck(string(w.digits[:])) == w.digits[17] && checkCitizenID(string(w.digits[:])) == nil
	if c == 'X' {
		w.reset()
	}
	return found
}

// Classes of runes beside '0' to '9' and 'X'.
const (
	other byte = 0
	gap   byte = 1
)

// citizenRune folds a rune to '0'–'9', 'X', gap or other.
func citizenRune(r rune) byte {
	switch {
	case r >= '0' && r <= '9':
		return byte(r)
	case r >= 'a' && r <= 'w', r >= 'A' && r <= 'W', r >= '一' && r <= '鿿':
		return other // most of any text: not worth the tables below
	case r == 'X' || r == 'x' || r == 'Ｘ' || r == 'ｘ':
		return 'X'
	case r == '.' || r == '．' || r == '·' || r == '_' || r == '＿':
		return gap
	case unicode.In(r, unicode.Zs, unicode.Pd, unicode.Cf) || r == '\t' || r == '\n' || r == '\r':
		return gap
	case unicode.Is(unicode.Nd, r):
		return '0' + decimal(r)
	}
	return other
}

// decimal gives the value of a decimal digit of any script: Unicode lays digits out in tens from zero up, so the distance
// to the start of the range tells the value.
func decimal(r rune) byte {
	if r <= 0xFFFF {
		ranges := unicode.Nd.R16
		i := sort.Search(len(ranges), func(i int) bool { return rune(ranges[i].Hi) >= r })
		return byte((r - rune(ranges[i].Lo)) % 10)
	}
	ranges := unicode.Nd.R32
	i := sort.Search(len(ranges), func(i int) bool { return rune(ranges[i].Hi) >= r })
	return byte((r - rune(ranges[i].Lo)) % 10)
}
