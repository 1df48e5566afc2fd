package node

import (
	"strings"

	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	"github.com/kuasheng/kuasheng/internal/ident"
	"github.com/kuasheng/kuasheng/node/config"
)

// enum turns a word of the node's file into the proto's value: "real_time" → UPDATE_CYCLE_REAL_TIME. The file was checked, and a word that the
// proto does not have gives the value 0, which the exchange refuses by name.
func enum[E ~int32](values map[string]int32, prefix, word string) E {
	return E(values[prefix+strings.ToUpper(word)])
}

func shareType(t config.ShareType) cataloguev1.ShareType {
	return enum[cataloguev1.ShareType](cataloguev1.ShareType_value, "SHARE_TYPE_", string(t))
}

// fieldType turns the letters of the catalogue standard into the proto's types.
func fieldType(t config.Type) cataloguev1.FieldType {
	switch t {
	case config.TypeString:
		return cataloguev1.FieldType_FIELD_TYPE_STRING
	case config.TypeNumber:
		return cataloguev1.FieldType_FIELD_TYPE_NUMERIC
	case config.TypeCurrency:
		return cataloguev1.FieldType_FIELD_TYPE_CURRENCY
	case config.TypeDate:
		return cataloguev1.FieldType_FIELD_TYPE_DATE
	case config.TypeTime:
		return cataloguev1.FieldType_FIELD_TYPE_DATETIME
	case config.TypeLogical:
		return cataloguev1.FieldType_FIELD_TYPE_LOGICAL
	case config.TypeMemo:
		return cataloguev1.FieldType_FIELD_TYPE_MEMO
	case config.TypeGeneral:
		return cataloguev1.FieldType_FIELD_TYPE_GENERAL
	case config.TypeDouble:
		return cataloguev1.FieldType_FIELD_TYPE_DOUBLE
	case config.TypeInteger:
		return cataloguev1.FieldType_FIELD_TYPE_INTEGER
	case config.TypeFloat:
		return cataloguev1.FieldType_FIELD_TYPE_FLOAT
	}
	return cataloguev1.FieldType_FIELD_TYPE_UNSPECIFIED
}

func text(t config.Text) *cataloguev1.LocalizedText {
	return &cataloguev1.LocalizedText{Zh: t.ZH, En: t.EN}
}

func maskName(m ident.Mask) string {
	if m == ident.MaskNone {
		return ""
	}
	return m.String()
}
