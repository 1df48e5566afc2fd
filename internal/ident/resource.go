package ident

import (
	"fmt"
	"strings"
)

// Bounds of a resource code. The standard leaves the last level of the class (细目) and the sequence open; these are
// twice the longest in use and keep a name within the 63 characters that file names, labels and index keys like.
const (
	maxDetail   = 18
	maxSequence = 12
)

// ResourceCode is the number of a catalogue entry (信息资源代码): class code, slash, sequence. The class code is made of 类 (1
// digit), 项 (2), 目 (3) and 细目 (any number of digits). The zero value is no code. ResourceCodes compare with ==.
type ResourceCode struct{ class, sequence string }

// ParseResourceCode reads the written form, as in "307510000001/000012".
func ParseResourceCode(s string) (ResourceCode, error) {
	code, err := splitResourceCode(s, "/")
	if err != nil {
		return ResourceCode{}, fmt.Errorf("parsing resource code: %w", err)
	}
	return code, nil
}

// ParseResourceID reads the form that stands in resource names, where a slash would begin a new segment, as in
// "307510000001-000012".
func ParseResourceID(s string) (ResourceCode, error) {
	code, err := splitResourceCode(s, "-")
	if err != nil {
		return ResourceCode{}, fmt.Errorf("parsing resource ID: %w", err)
	}
	return code, nil
}

func splitResourceCode(s, separator string) (ResourceCode, error) {
	class, sequence, ok := strings.Cut(s, separator)
	if !ok {
		return ResourceCode{}, fmt.Errorf("no %q between class and sequence: %w", separator, ErrStructure)
	}
	if n := len(class); n < 6 || n > 6+maxDetail {
		return ResourceCode{}, fmt.Errorf("class: %w", lengthError(class, fmt.Sprintf("6 to %d", 6+maxDetail)))
	}
	if n := len(sequence); n < 1 || n > maxSequence {
		return ResourceCode{}, fmt.Errorf("sequence: %w", lengthError(sequence, fmt.Sprintf("1 to %d", maxSequence)))
	}
	if err := checkDigits(class, 0); err != nil {
		return ResourceCode{}, err
	}
	if err := checkDigits(sequence, len(class)+len(separator)); err != nil {
		return ResourceCode{}, err
	}
	code := ResourceCode{class: class, sequence: sequence}
	switch code.Category() {
	case CategoryBasic:
		if code.Item() < "01" || code.Item() > "05" {
			return ResourceCode{}, fmt.Errorf("unknown basic resource in characters 2 to 3: %w", ErrStructure)
		}
	case CategoryThematic, CategoryDepartmental:
	default:
		return ResourceCode{}, fmt.Errorf("unknown category in character 1: %w", ErrStructure)
	}
	return code, nil
}

// Category is the first level (类) of a class code.
type Category byte

// The categories of the national catalogue.
const (
	CategoryBasic        Category = '1' // population, legal persons, geography, credit, e-certificates
	CategoryThematic     Category = '2' // around one subject, from several departments
	CategoryDepartmental Category = '3' // of one department
)

// String returns the written form with a slash.
func (c ResourceCode) String() string {
	if c.IsZero() {
		return ""
	}
	return c.class + "/" + c.sequence
}

// ID returns the form for resource names, with a hyphen.
func (c ResourceCode) ID() string {
	if c.IsZero() {
		return ""
	}
	return c.class + "-" + c.sequence
}

// IsZero reports whether c is the zero value.
func (c ResourceCode) IsZero() bool { return c.class == "" }

// Class returns the class code.
func (c ResourceCode) Class() string { return c.class }

// Sequence returns the number within the class.
func (c ResourceCode) Sequence() string { return c.sequence }

// Category returns the first level of the class, 0 for the zero value.
func (c ResourceCode) Category() Category {
	if c.IsZero() {
		return 0
	}
	return Category(c.class[0])
}

// Item returns the two digits of the second level (项). Of the basic category 01 is population, 02 legal persons, 03
// natural resources and geography, 04 credit, 05 e-certificates; of the departmental category 07 is provincial and below.
func (c ResourceCode) Item() string {
	if c.IsZero() {
		return ""
	}
	return c.class[1:3]
}

// Base reports whether the class is population, legal-person, geographic or e-certificate base data, which is shared
// unconditionally by law.
func (c ResourceCode) Base() bool {
	return c.Category() == CategoryBasic && c.Item() != "04"
}

// ResourceName is a resource's name on the exchange, as in "provinces/410000/resources/307510000001-000012".
type ResourceName struct {
	Region Region
	Code   ResourceCode
}

// ParseResourceName reads a resource's name.
func ParseResourceName(s string) (ResourceName, error) {
	name, err := splitResourceName(s)
	if err != nil {
		return ResourceName{}, fmt.Errorf("parsing resource name: %w", err)
	}
	return name, nil
}

func splitResourceName(s string) (ResourceName, error) {
	rest, ok := strings.CutPrefix(s, "provinces/")
	if !ok {
		return ResourceName{}, fmt.Errorf("does not begin with provinces/: %w", ErrStructure)
	}
	code, id, ok := strings.Cut(rest, "/resources/")
	if !ok {
		return ResourceName{}, fmt.Errorf("has no /resources/: %w", ErrStructure)
	}
	region, ok := LookupRegion(code)
	if !ok {
		return ResourceName{}, fmt.Errorf("province: %w", ErrRegion)
	}
	resource, err := ParseResourceID(id)
	if err != nil {
		return ResourceName{}, err
	}
	return ResourceName{Region: region, Code: resource}, nil
}

// String returns the name.
func (n ResourceName) String() string {
	return "provinces/" + n.Region.Code + "/resources/" + n.Code.ID()
}
