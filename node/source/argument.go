package source

import (
	"math"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/node/config"
)

// argument is a parameter's value, checked. The zero argument is NULL.
type argument struct {
	given   bool
	kind    config.Type
	text    string    // in plain form; what HTTP sources get
	instant time.Time // of type T
	float   float64   // of types B and F
	integer int64     // of type I
	logical bool      // of type L
}

// arguments checks a request's parameters against their declarations. Every declared parameter has an argument in the
// result, in the order declared.
func arguments(declared []config.Parameter, given map[string]string) (map[string]argument, error) {
	for _, name := range sortedNames(given) {
		if !declares(declared, name) {
			return nil, &ParameterError{clip(name), "is not a parameter of this resource"}
		}
	}
	list := make(map[string]argument, len(declared))
	for _, p := range declared {
		value, ok := given[p.Name]
		if !ok {
			if p.Required {
				return nil, &ParameterError{p.Name, "is required"}
			}
			list[p.Name] = argument{}
			continue
		}
		a, reason := parseArgument(p, value)
		if reason != "" {
			return nil, &ParameterError{p.Name, reason}
		}
		list[p.Name] = a
	}
	return list, nil
}

func declares(declared []config.Parameter, name string) bool {
	for _, p := range declared {
		if p.Name == name {
			return true
		}
	}
	return false
}

// sortedNames makes the parameter that an error names independent of map order.
func sortedNames(given map[string]string) []string {
	names := make([]string, 0, len(given))
	for name := range given {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// clip makes a name that came from outside fit for a message. Someone may have put a value where a name belongs.
func clip(name string) string {
	if len(name) > 64 || !utf8.ValidString(name) || ident.ContainsCitizenID(name) {
		return "…"
	}
	return name
}

// plainNumber is JSON's grammar of numbers: no hexadecimal, no underscores, no names of infinities.
var plainNumber = regexp.MustCompile(`^[+-]?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,4})?$`)

// maxDecimal is the number of digits that MySQL's decimals have; PostgreSQL's have more.
const maxDecimal = 65

// parseArgument checks one value. The reason says what is expected and never repeats what came.
func parseArgument(p config.Parameter, value string) (argument, string) {
	a := argument{given: true, kind: p.Type, text: value}
	switch {
	case len(value) > utf8.UTFMax*p.MaxLength, utf8.RuneCountInString(value) > p.MaxLength:
		return a, "is longer than " + strconv.Itoa(p.MaxLength) + " characters"
	case !utf8.ValidString(value):
		return a, "is not valid UTF-8"
	case strings.ContainsRune(value, 0):
		return a, "contains a NUL character" // PostgreSQL cannot store one, the C interfaces end at it
	case value == "" && p.Required:
		return a, "is empty"
	}
	switch p.Type {
	case config.TypeNumber, config.TypeCurrency:
		d, ok := decimal(value, -1)
		if !ok || strings.ContainsAny(value, " eE") || len(d) > maxDecimal {
			return a, "is no decimal number of at most 65 digits"
		}
		a.text = d
	case config.TypeInteger:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return a, "is no integer of 64 bits"
		}
		a.integer, a.text = n, strconv.FormatInt(n, 10)
	case config.TypeDouble, config.TypeFloat:
		f, err := strconv.ParseFloat(value, 64)
		if err != nil || !plainNumber.MatchString(value) || math.IsInf(f, 0) {
			return a, "is no finite number"
		}
		a.float, a.text = f, formatFloat(f, 64)
	case config.TypeDate:
		if t, err := time.Parse(time.DateOnly, value); err != nil || !inRange(t) {
			return a, "is no date of the form YYYY-MM-DD"
		}
	case config.TypeTime:
		t, err := time.Parse(time.RFC3339, value)
		if err != nil || !inRange(t.UTC()) {
			return a, "is no RFC 3339 time with offset"
		}
		a.instant = t
	case config.TypeLogical:
		if value != "true" && value != "false" {
			return a, "is neither true nor false"
		}
		a.logical = value == "true"
	}
	return a, checkFormat(p.Format, value)
}

// checkFormat passes on what is wrong in ident's words, which never repeat the value.
func checkFormat(f config.ParameterFormat, value string) string {
	var err error
	switch f {
	case config.FormatCitizenID:
		_, err = ident.ParseCitizenID(value)
	case config.FormatUSCC:
		_, err = ident.ParseUSCC(value)
	case config.FormatRegion:
		if _, ok := ident.LookupRegion(value); !ok {
			return "is no province-level region code"
		}
	}
	if err != nil {
		return "is refused: " + err.Error()
	}
	return ""
}
