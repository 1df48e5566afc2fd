package catalogue

import (
	"slices"

	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
)

// Filter says which entries a list holds.
type Filter struct {
	Region    string // of one region; of all if empty
	Withdrawn bool   // withdrawn ones too
}

// List returns at most limit entries whose names follow after, in the order of names, and whether there are more.
func (s *Store) List(filter Filter, after string, limit int) (page []*cataloguev1.Resource, more bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	regions := s.regions
	if filter.Region != "" {
		regions = []string{filter.Region}
	} else if from, found := slices.BinarySearch(regions, Region(after)); found {
		regions = regions[from:] // names order as their regions do
	}
	for _, region := range regions {
		names := s.byRegion[region]
		from, found := slices.BinarySearch(names, after)
		if found {
			from++
		}
		for _, name := range names[from:] {
			r := s.byName[name].resource
			if r.GetState() == cataloguev1.ResourceState_RESOURCE_STATE_WITHDRAWN && !filter.Withdrawn {
				continue
			}
			if len(page) == limit {
				return page, true
			}
			page = append(page, r)
		}
	}
	return page, false
}
