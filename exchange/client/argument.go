package client

import (
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kuasheng/kuasheng/internal/ident"
)

// checkText finds text that is not UTF-8. Protobuf takes no other, and gRPC would say so as an internal error that names nothing. The error
// names the argument and never quotes it.
func checkText(m protoreflect.Message) error {
	if !m.IsValid() {
		return nil
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if !m.Has(f) {
			continue
		}
		if err := checkField(f, m.Get(f)); err != nil {
			return err
		}
	}
	return nil
}

func checkField(f protoreflect.FieldDescriptor, v protoreflect.Value) (err error) {
	switch {
	case f.IsMap():
		v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			if err = checkOne(f.MapKey(), k.Value(), "a name in "+string(f.Name())); err == nil {
				err = checkOne(f.MapValue(), v, fmt.Sprintf("%s[%s]", f.Name(), shown(k.String())))
			}
			return err == nil
		})
	case f.IsList():
		for i := 0; i < v.List().Len() && err == nil; i++ {
			err = checkOne(f, v.List().Get(i), fmt.Sprintf("%s[%d]", f.Name(), i))
		}
	default:
		err = checkOne(f, v, string(f.Name()))
	}
	return err
}

// shown bounds a name that goes into an error. One that holds an identity number was meant as a value.
func shown(name string) string {
	if ident.ContainsCitizenID(name) {
		return "(withheld)"
	}
	return fmt.Sprintf("%.64q", name)
}

func checkOne(f protoreflect.FieldDescriptor, v protoreflect.Value, name string) error {
	switch {
	case f.Message() != nil:
		return checkText(v.Message())
	case f.Kind() == protoreflect.StringKind && !utf8.ValidString(v.String()):
		return fmt.Errorf("%w: %s: the text is not UTF-8", ErrArgument, name)
	}
	return nil
}
