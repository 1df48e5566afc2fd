package config

import (
	"time"

	"github.com/kuasheng/kuasheng/internal/ident"
)

// Resource is a catalogue entry and the mapping that answers for it.
type Resource struct {
	Code             string // as in 307410000001/000001
	Title, Abstract  Text
	Provider         Provider
	Format           Format
	Share            Share
	Open             bool
	UpdateCycle      UpdateCycle
	Grade            Grade
	SourceDepartment string // USCC of the one department that the data originates from
	ConditionsOfUse  string
	Related          []string // resource names, of any province
	Classification   string   // in the provider's words
	Fields           []Field
	Parameters       []Parameter
	Source           string   // name of the source; empty for what is published and not shared
	Query            string   // SQL sources
	Request          *Request // HTTP sources
	Limits           Limits
	At               Position
}

// Field finds a field by name.
func (r Resource) Field(name string) (Field, bool) {
	for _, f := range r.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// Parameter finds a parameter by name.
func (r Resource) Parameter(name string) (Parameter, bool) {
	for _, p := range r.Parameters {
		if p.Name == name {
			return p, true
		}
	}
	return Parameter{}, false
}

// Text is a text in Chinese and English.
type Text struct{ ZH, EN string }

// Provider is the department that provides a resource.
type Provider struct{ Name, USCC string }

// Format is the form of the data (信息资源格式).
type Format string

// The formats.
const (
	FormatFile          Format = "file"
	FormatSpreadsheet   Format = "spreadsheet"
	FormatDatabase      Format = "database"
	FormatImage         Format = "image"
	FormatStream        Format = "stream"
	FormatSelfDescribed Format = "self_described"
	FormatService       Format = "service"
)

// ShareType says who may have the data (共享类型).
type ShareType string

// The share types.
const (
	Unconditional ShareType = "unconditional"
	Conditional   ShareType = "conditional"
	NotShared     ShareType = "not_shared"
)

// ShareMode says how the data is had (共享方式).
type ShareMode string

// The share modes.
const (
	ModeService ShareMode = "service"
	ModeBatch   ShareMode = "batch"
	ModeFile    ShareMode = "file"
)

// Share is the sharing attribute of a resource. Condition and Uses belong to Conditional, Reason and Law to NotShared.
type Share struct {
	Type      ShareType
	Mode      ShareMode
	Condition string
	Uses      []string
	Reason    string
	Law       string
}

// UpdateCycle says how often the data is renewed (更新周期).
type UpdateCycle string

// The update cycles.
const (
	RealTime   UpdateCycle = "real_time"
	Daily      UpdateCycle = "daily"
	Weekly     UpdateCycle = "weekly"
	Monthly    UpdateCycle = "monthly"
	Quarterly  UpdateCycle = "quarterly"
	HalfYearly UpdateCycle = "half_yearly"
	Yearly     UpdateCycle = "yearly"
	Irregular  UpdateCycle = "irregular"
)

// Grade is the classification of the data (分级).
type Grade string

// The grades.
const (
	GradeCore      Grade = "core"      // never routed
	GradeImportant Grade = "important" // needs a second approval
	GradeGeneral1  Grade = "general_1"
	GradeGeneral2  Grade = "general_2"
	GradeGeneral3  Grade = "general_3"
	GradeGeneral4  Grade = "general_4"
)

// Type is the declared type of a field or parameter.
type Type string

// The types of the catalogue standard. Package source says how each is written in an answer.
const (
	TypeString   Type = "C"
	TypeNumber   Type = "N" // exact decimal
	TypeCurrency Type = "Y" // exact decimal
	TypeDate     Type = "D"
	TypeTime     Type = "T"
	TypeLogical  Type = "L"
	TypeMemo     Type = "M"
	TypeGeneral  Type = "G"
	TypeDouble   Type = "B"
	TypeInteger  Type = "I"
	TypeFloat    Type = "F"
)

// ScaleAsGiven is the Scale of a field whose entry in the file states none.
const ScaleAsGiven = -1

// Field is one item of a resource (信息项).
type Field struct {
	Name        string
	Title       Text
	Description string
	Type        Type
	Length      int        // characters at most, for C, M and G; 0 for no limit
	Scale       int        // digits after the point, for N and Y; ScaleAsGiven leaves them as the source gives them
	Unit        string     // as in CNY
	Column      string     // the source's name for it; for HTTP sources a dotted path
	Mask        ident.Mask // applied to everyone
	Share       ShareType  // the field's own; empty when it has the resource's
	Open        bool       // the field's own; the resource's when the file says nothing
	At          Position
}

// ParameterFormat is a rule that values of type C follow.
type ParameterFormat string

// The parameter formats.
const (
	FormatAny       ParameterFormat = ""
	FormatCitizenID ParameterFormat = "citizen_identity_number"
	FormatUSCC      ParameterFormat = "uscc"
	FormatRegion    ParameterFormat = "region"
)

// Parameter is a value that a query asks of its caller.
type Parameter struct {
	Name      string
	Title     Text
	Type      Type
	Format    ParameterFormat
	Required  bool // an optional parameter binds NULL when absent
	Subject   bool // it names the person or enterprise asked about
	MaxLength int  // characters at most
	At        Position
}

// Request is how an HTTP source is asked. {name} in Path, Query and Body stands for a parameter.
type Request struct {
	Method string // GET or POST
	Path   string // appended to the source's base URL
	Query  []Pair // left out when their only parameter is absent
	Body   []Pair // POST: members of a JSON object, all strings
	Rows   string // dotted path to the array (or the one object) in the answer; empty for the whole answer

	// MissingIsNull takes a member that a row does not have as NULL. Without it a missing member is an error, since a
	// renamed member would otherwise turn silently into NULL for everybody.
	MissingIsNull bool
	At            Position
}

// Pair is a name and its value template.
type Pair struct{ Name, Value string }

// Limits bound what one resource may take, so that a slow or careless one never takes it from another.
type Limits struct {
	Timeout       time.Duration // of one query, waiting for a connection included
	Rows          int           // of one answer: more is an error, never a cut-off answer
	AnswerBytes   int           // of one answer
	ExportRows    int64         // of one export; 0 refuses exports
	ExportTimeout time.Duration // of one export
	Connections   int           // queries at the same time
}
