package ident

import "fmt"

// ItemScope says how much a service item code names.
type ItemScope uint8

// The three lengths of a service item code.
const (
	// ItemBase is a base code (基本编码), 12 digits: the item as the law knows it.
	ItemBase ItemScope = iota + 1
	// ItemImplementation is an implementation code (实施编码), 31 characters: the item as one office offers it.
	ItemImplementation
	// ItemHandling is a handling code (办理项编码), 33 characters: one of the ways that office handles it.
	ItemHandling
)

// ItemType is the kind of power that an item exercises.
type ItemType string

// The kinds of power, by the codes of the national list.
const (
	ItemPermit        ItemType = "01"
	ItemPenalty       ItemType = "02"
	ItemCoercion      ItemType = "03"
	ItemLevy          ItemType = "04"
	ItemPayment       ItemType = "05"
	ItemInspection    ItemType = "06"
	ItemConfirmation  ItemType = "07"
	ItemAward         ItemType = "08"
	ItemRuling        ItemType = "09"
	ItemOther         ItemType = "10"
	ItemPublicService ItemType = "20"
)

func (t ItemType) known() bool {
	return t >= ItemPermit && t <= ItemOther || t == ItemPublicService
}

// ServiceItem is the code of a government service item (政务服务事项). The zero value is no code. ServiceItems compare with ==.
type ServiceItem struct {
	code  string
	scope ItemScope
	owner USCC
}

// ParseServiceItem accepts a base code (12), an implementation code (USCC 18, level of exercise 1, base 12) or a handling
// code (implementation 31, way 2).
func ParseServiceItem(s string) (ServiceItem, error) {
	item, err := splitServiceItem(s)
	if err != nil {
		return ServiceItem{}, fmt.Errorf("parsing service item code: %w", err)
	}
	return item, nil
}

func splitServiceItem(s string) (ServiceItem, error) {
	item := ServiceItem{code: s}
	switch len(s) {
	case 12:
		item.scope = ItemBase
		return item, checkBase(s, 0)
	case 31:
		item.scope = ItemImplementation
	case 33:
		item.scope = ItemHandling
		if err := checkDigits(s[31:], 31); err != nil {
			return ServiceItem{}, err
		}
	default:
		return ServiceItem{}, lengthError(s, "12, 31 or 33")
	}
	var err error
	if item.owner, err = ParseUSCC(s[:18]); err != nil {
		return ServiceItem{}, fmt.Errorf("owner in characters 1 to 18: %w", err)
	}
	// 1 state, 2 province, 3 city, 4 county, 5 township, 6 village.
	if s[18] < '1' || s[18] > '6' {
		return ServiceItem{}, fmt.Errorf("level of exercise: %w", characterError(19))
	}
	return item, checkBase(s[19:31], 19)
}

// checkBase checks region 2, type 2, domain 2, main 3, sub 3; 00 as region means an item of the national list.
func checkBase(base string, offset int) error {
	if err := checkDigits(base, offset); err != nil {
		return err
	}
	if _, ok := regionOf(base[:2]); !ok && base[:2] != "00" {
		return fmt.Errorf("characters %d to %d: %w", offset+1, offset+2, ErrRegion)
	}
	if !ItemType(base[2:4]).known() {
		return fmt.Errorf("unknown item type in characters %d to %d: %w", offset+3, offset+4, ErrStructure)
	}
	return nil
}

// String returns the code.
func (i ServiceItem) String() string { return i.code }

// IsZero reports whether i is the zero value.
func (i ServiceItem) IsZero() bool { return i.code == "" }

// Scope says how much the code names; 0 for the zero value.
func (i ServiceItem) Scope() ItemScope { return i.scope }

// Base returns the 12 digits of the base code.
func (i ServiceItem) Base() string {
	if i.scope >= ItemImplementation {
		return i.code[19:31]
	}
	return i.code
}

// Implementation returns the 31 characters of the implementation code, empty for a base code.
func (i ServiceItem) Implementation() string {
	if i.scope >= ItemImplementation {
		return i.code[:31]
	}
	return ""
}

// Owner returns the department that exercises the power, the zero USCC for a base code.
func (i ServiceItem) Owner() USCC { return i.owner }

// Level returns the level of exercise from 1 (state) to 6 (village), 0 for a base code.
func (i ServiceItem) Level() int {
	if i.scope >= ItemImplementation {
		return int(i.code[18] - '0')
	}
	return 0
}

// Type returns the kind of power, empty for the zero value.
func (i ServiceItem) Type() ItemType {
	if i.IsZero() {
		return ""
	}
	return ItemType(i.Base()[2:4])
}

// Contains reports whether other is the same item or a narrower one: a permission for a base code covers every office's
// implementation of it, one for an implementation covers its ways of handling, never the other way round.
func (i ServiceItem) Contains(other ServiceItem) bool {
	switch i.scope {
	case ItemBase:
		return i.code == other.Base()
	case ItemImplementation:
		return i.code == other.Implementation()
	case ItemHandling:
		return i.code == other.code
	}
	return false
}
