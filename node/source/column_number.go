package source

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

func (c *column) exact(v any) (string, string) {
	const misfit = "it is no decimal that its type and scale hold exactly"
	s, ok := "", false
	switch v := v.(type) {
	case string:
		s, ok = decimal(v, c.Scale)
	case []byte:
		s, ok = decimal(string(v), c.Scale)
	case json.Number:
		s, ok = decimal(string(v), c.Scale)
	case int64:
		s, ok = decimal(strconv.FormatInt(v, 10), c.Scale)
	case uint64:
		s, ok = decimal(strconv.FormatUint(v, 10), c.Scale)
	case float64:
		if s, ok = decimalOfFloat(v, 64, c.Scale); !ok {
			return "", "it is a binary floating-point number that does not hold an exact decimal; store it as DECIMAL (in SQLite as TEXT)"
		}
	case float32:
		if s, ok = decimalOfFloat(float64(v), 32, c.Scale); !ok {
			return "", "it is a binary floating-point number that does not hold an exact decimal; store it as DECIMAL"
		}
	}
	if !ok {
		return "", misfit
	}
	return s, ""
}

// exactFloat is the greatest magnitude up to which a double holds every integer.
const exactFloat = 1 << 53

func (c *column) whole(v any) (string, string) {
	const misfit = "it is no integer of 64 bits; declare type N for larger ones and for fractions"
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10), ""
	case uint64:
		if v <= math.MaxInt64 {
			return strconv.FormatUint(v, 10), ""
		}
	case float64:
		if v == math.Trunc(v) && math.Abs(v) <= exactFloat {
			return strconv.FormatInt(int64(v), 10), ""
		}
	case string:
		return integerText(v, misfit)
	case []byte:
		return integerText(string(v), misfit)
	case json.Number:
		return integerText(string(v), misfit)
	}
	return "", misfit
}

func integerText(s, misfit string) (string, string) {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil {
		return "", misfit
	}
	return strconv.FormatInt(n, 10), ""
}

func (c *column) float(v any) (string, string) {
	const misfit = "it is no finite floating-point number"
	bits := 64
	var f float64
	var err error
	switch v := v.(type) {
	case float64:
		f = v
	case float32:
		f, bits = float64(v), 32
	case int64:
		if v > exactFloat || v < -exactFloat {
			return "", "it is an integer that a float does not hold exactly; declare type I"
		}
		f = float64(v)
	case string:
		f, err = strconv.ParseFloat(v, 64)
	case []byte:
		f, err = strconv.ParseFloat(string(v), 64)
	case json.Number:
		f, err = strconv.ParseFloat(string(v), 64)
	default:
		return "", misfit
	}
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return "", misfit
	}
	return formatFloat(f, bits), ""
}

// formatFloat writes a float as encoding/json does: shortest, with an exponent only for the very small and very large.
func formatFloat(f float64, bits int) string {
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.FormatFloat(f, format, -1, bits)
}
