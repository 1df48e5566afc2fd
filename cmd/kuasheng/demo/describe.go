package demo

import (
	"fmt"
	"maps"
	"path/filepath"

	"github.com/goccy/go-yaml"
	"github.com/kuasheng/kuasheng/certs/devca"
	"github.com/kuasheng/kuasheng/cmd/kuasheng/demo/dataset"
)

// describe fills demo.json and writes it for the first time: from here on the folder is whole.
func (st *stage) describe(cfg Config) error {
	m := st.manifest
	m.Version, m.People, m.Enterprises = manifestVersion, cfg.People, cfg.Enterprises
	m.Provinces, m.Parties, m.Refused = map[string]ProvinceEntry{}, map[string]PartyEntry{}, map[string]PartyEntry{}
	m.Grants, m.Questions = map[string]GrantEntry{}, map[string]QuestionEntry{}
	if kept := st.folder.kept; kept != nil {
		m.People, m.Enterprises = kept.People, kept.Enterprises
		maps.Copy(m.Grants, kept.Grants)
		maps.Copy(m.Questions, kept.Questions)
	}
	m.Exchange = ExchangeEntry{
		ID: "spiffe://" + domainOf(exchangeKey) + "/exchange", Config: st.folder.path(exchangeKey, "exchange.yaml"),
		Bundle: st.authorities.bundle(exchangeKey), LogKey: st.logKey, LogDir: st.exchange.logDir,
	}
	for _, p := range st.provinces {
		entry, err := p.entry(st.authorities)
		if err != nil {
			return err
		}
		m.Provinces[p.key] = entry
	}
	for _, party := range parties() {
		entry, err := st.partyEntry(party, partyDir(party))
		if err != nil {
			return err
		}
		if entry.Profile, err = st.writeProfile(party); err != nil {
			return err
		}
		m.Parties[party] = entry
	}
	for name, dir := range map[string]string{"expired": expiredDir, "forged": forgedDir} {
		entry, err := st.partyEntry(housingPortal, dir)
		if err != nil {
			return err
		}
		m.Refused[name] = entry
	}
	return m.write(st.folder)
}

func (st *stage) partyEntry(party, dir string) (PartyEntry, error) {
	id, err := idOf(party)
	if err != nil {
		return PartyEntry{}, err
	}
	dir = st.folder.path(dir)
	return PartyEntry{ID: id.String(), SVID: filepath.Join(dir, devca.SVIDFile), Key: filepath.Join(dir, devca.KeyFile)}, nil
}

// entry is the province in demo.json.
func (p *province) entry(a *authorities) (ProvinceEntry, error) {
	e := ProvinceEntry{
		Region: p.region.Code, NameZH: p.region.Chinese, NameEN: p.region.English, Domain: p.domain(), Config: p.path("node.yaml"),
		Bundle: a.bundle(p.key), JournalKey: p.journalKey, JournalDir: p.journalDir(), Resources: map[string]string{},
		People: p.data.People, Enterprises: p.data.Enterprises, Rows: p.rows(),
	}
	for _, topic := range dataset.Topics(p.region) {
		name, err := p.resource(topic)
		if err != nil {
			return ProvinceEntry{}, err
		}
		e.Resources[string(topic)] = name
	}
	return e, nil
}

// profile is what `kuasheng --profile` reads.
type profile struct {
	Address     string   `yaml:"address"`
	ExchangeID  string   `yaml:"exchange_id"`
	SVID        string   `yaml:"svid"`
	Key         string   `yaml:"key"`
	Bundle      string   `yaml:"bundle"`
	LogKey      string   `yaml:"log_key"`
	JournalKeys []string `yaml:"journal_keys"`
}

// writeProfile spares people the flags of the command line. All journals' keys are pinned: the exchange is not asked for them.
func (st *stage) writeProfile(party string) (string, error) {
	p := profile{
		Address: st.manifest.GRPC, ExchangeID: st.manifest.Exchange.ID, SVID: devca.SVIDFile, Key: devca.KeyFile,
		Bundle: st.manifest.Exchange.Bundle, LogKey: st.logKey,
	}
	for _, one := range st.provinces {
		p.JournalKeys = append(p.JournalKeys, one.journalKey)
	}
	text, err := yaml.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("writing a profile: %w", err)
	}
	path := st.folder.path(partyDir(party), "profile.yaml")
	return path, writeFile(path, text, 0o600)
}
