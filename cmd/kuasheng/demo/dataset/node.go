package dataset

import (
	"embed"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/kuasheng/kuasheng/internal/ident"
)

// resources holds the catalogue entry and mapping of each topic, one file a topic, as they stand in a node's file.
//
//go:embed resource/*.yaml
var resources embed.FS

// NodeYAML returns the sections sources, resources and policy of the node's file of a province of the demo. dir is where
// [Generate] wrote the databases, absolute or relative to the node's file. The policy expects the key of the pseudonyms
// where `node init` puts it: secrets/pseudonym.key beside the file.
func NodeYAML(region ident.Region, dir string) (string, error) {
	p, ok := provinceOf(region)
	if !ok {
		return "", fmt.Errorf("writing the configuration of region %s: %w", region, ErrRegion)
	}
	var b strings.Builder
	b.WriteString("# Where the data lives: a SQLite file for each department, opened read-only.\nsources:\n")
	for _, s := range p.sources() {
		// JSON's quotes are YAML's: whatever is in the path, it stays text.
		path, err := json.Marshal(filepath.Join(dir, s.file()))
		if err != nil {
			return "", fmt.Errorf("quoting the path of source %s: %w", s, err)
		}
		fmt.Fprintf(&b, "  %s: { sqlite: { path: %s } }\n", s, path)
	}
	b.WriteString("\n# What the province publishes.\nresources:\n")
	for i, topic := range p.topics {
		if i > 0 {
			b.WriteString("\n")
		}
		if err := writeResource(&b, p, topic); err != nil {
			return "", err
		}
	}
	b.WriteString("\n" + p.policy())
	return b.String(), nil
}

// entryText is what the file of a topic leaves open.
type entryText struct {
	Code                 ident.ResourceCode
	Province, ProvinceEN string
	Department, USCC     string
}

func writeResource(b *strings.Builder, p province, topic Topic) error {
	file := "resource/" + string(topic) + ".yaml"
	// YAML is full of braces, so the templates mark their gaps otherwise.
	t, err := template.New(string(topic)+".yaml").Delims("<<", ">>").Option("missingkey=error").ParseFS(resources, file)
	if err != nil {
		return fmt.Errorf("reading the entry of topic %s: %w", topic, err)
	}
	code, ok := Code(p.region, topic)
	if !ok {
		return fmt.Errorf("numbering topic %s: %w", topic, ErrRegion)
	}
	d := topic.entry().department
	err = t.Execute(b, entryText{
		Code: code, Province: p.name(), ProvinceEN: p.region.English, Department: p.name() + d.name, USCC: d.uscc(p.region),
	})
	if err != nil {
		return fmt.Errorf("writing the entry of topic %s: %w", topic, err)
	}
	return nil
}

// policy is the province's veto: one application that walks lists is shut out, one purpose is nobody's, and one field is
// hidden further than its department does.
func (p province) policy() string {
	var b strings.Builder
	b.WriteString("# The province's veto: it holds whatever the exchange has granted.\npolicy:\n  deny:\n")
	fmt.Fprintf(&b, "    - { requester: %q, resource: \"*\", purpose: \"*\", reason: 批量遍历公民身份号码，已暂停提供 }\n", p.denied)
	fmt.Fprintf(&b, "    - { requester: \"*\", resource: \"*\", purpose: %s, reason: 政务数据不得用于商业营销 }\n", DeniedPurpose)
	b.WriteString("  mask:\n")
	for _, m := range p.masks {
		if code, ok := Code(p.region, m.topic); ok {
			fmt.Fprintf(&b, "    - { resource: %s, field: %s, with: %s }\n", code, m.field, m.with)
		}
	}
	b.WriteString("  pseudonym_key: secrets/pseudonym.key\n  ticket_age: 30s\n")
	return b.String()
}

// DeniedPurpose is a purpose that the policy of every province of the demo vetoes.
const DeniedPurpose = "commercial-marketing"

// fieldMask hides a field for everyone, in addition to what the entry hides.
type fieldMask struct {
	topic Topic
	field string
	with  ident.Mask
}

// DeniedRequester returns the SPIFFE ID that the policy of a province of the demo shuts out; empty for another region.
func DeniedRequester(region ident.Region) string {
	p, ok := provinceOf(region)
	if !ok {
		return ""
	}
	return p.denied
}
