package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/kuasheng/kuasheng/cmd/kuasheng/demo/dataset"
)

const (
	// manifestVersion grows when scripts that read demo.json would have to change.
	manifestVersion = 1
	// maxManifest is a hundred times what the demo writes.
	maxManifest = 4 << 20
)

// Manifest is demo.json: what scripts need to use the running demo. File names are absolute. It names private keys' files and holds none.
type Manifest struct {
	Version     int    `json:"version"`     // 1
	GRPC        string `json:"grpc"`        // host:port of the exchange
	REST        string `json:"rest"`        // https://host:port of the exchange; its OpenAPI is at /openapi.json
	People      int    `json:"people"`      // made for each province
	Enterprises int    `json:"enterprises"` // made for each province

	Exchange  ExchangeEntry            `json:"exchange"`
	Provinces map[string]ProvinceEntry `json:"provinces"` // by short name, as in "henan"
	Parties   map[string]PartyEntry    `json:"parties"`   // by short name, as in "zhejiang/app/housing-portal"
	Refused   map[string]PartyEntry    `json:"refused"`   // "expired" and "forged": SVIDs that the exchange must refuse
	Grants    map[string]GrantEntry    `json:"grants"`    // by short name, as in "housing"; complete once the scenario has been played
	Questions map[string]QuestionEntry `json:"questions"` // by the name of the grant that permits them
}

// ExchangeEntry is the exchange.
type ExchangeEntry struct {
	ID     string `json:"id"`      // its SPIFFE ID
	Config string `json:"config"`  // its exchange.yaml
	Bundle string `json:"bundle"`  // file with its authorities
	LogKey string `json:"log_key"` // verifier key of its access log
	LogDir string `json:"log_dir"` // the access log's segment files
}

// ProvinceEntry is a province.
type ProvinceEntry struct {
	Region      string               `json:"region"`
	NameZH      string               `json:"name_zh"`
	NameEN      string               `json:"name_en"`
	Domain      string               `json:"domain"`      // its trust domain
	Config      string               `json:"config"`      // its node.yaml
	Bundle      string               `json:"bundle"`      // file with its authorities
	JournalKey  string               `json:"journal_key"` // verifier key of its node's journal
	JournalDir  string               `json:"journal_dir"` // the journal's segment files
	Resources   map[string]string    `json:"resources"`   // topic → resource name
	People      []dataset.Person     `json:"people"`      // ten synthetic people whom every department knows
	Enterprises []dataset.Enterprise `json:"enterprises"` // ten made-up enterprises
	Rows        map[string]int       `json:"rows"`        // rows of each table
}

// PartyEntry is somebody with an SVID. The running demo renews it.
type PartyEntry struct {
	ID      string `json:"id"` // SPIFFE ID
	SVID    string `json:"svid"`
	Key     string `json:"key"`
	Profile string `json:"profile,omitempty"` // for `kuasheng --profile`
}

// GrantEntry is a grant that was given.
type GrantEntry struct {
	Name      string   `json:"name"` // grants/…
	Resource  string   `json:"resource"`
	Requester string   `json:"requester"` // short name of the party
	Fields    []string `json:"fields"`
	Purpose   string   `json:"purpose"`
	Item      string   `json:"item"`
}

// QuestionEntry is a request that a grant permits.
type QuestionEntry struct {
	Party    string `json:"party"`    // short name of who may ask
	Resource string `json:"resource"` // resource name
	Body     string `json:"body"`     // file with the request as JSON, for grpcurl and curl
	Params   string `json:"params"`   // file with the parameters alone, for `kuasheng query --param-file`
}

// readManifest reads demo.json.
func readManifest(path string) (*Manifest, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxManifest))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	m := &Manifest{}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("reading %s: %w: %w", path, errFolder, err)
	}
	if m.Version != manifestVersion {
		return nil, fmt.Errorf("reading %s: %w: it has version %d, this program writes %d; name another folder", path, errFolder, m.Version, manifestVersion)
	}
	return m, nil
}

// write puts demo.json in place.
func (m *Manifest) write(f *folder) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(m); err != nil {
		return fmt.Errorf("writing %s: %w", manifestFile, err)
	}
	return writeFile(f.path(manifestFile), b.Bytes(), 0o600)
}
