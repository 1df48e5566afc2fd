package source

import "fmt"

// CheckExport checks an export before anything of it is put on record, and returns the fields asked for that a mask applies to.
func (s *Set) CheckExport(req Request, resumed bool) (mask []string, err error) {
	r, err := s.find(req.Resource)
	if err != nil {
		return nil, err
	}
	switch {
	case r.Limits.ExportRows == 0:
		return nil, fmt.Errorf("checking an export: %w", ErrNotExported)
	case resumed && !r.ordered:
		return nil, fmt.Errorf("checking an export: %w: the query has no ORDER BY", ErrNotResumable)
	}
	columns, err := r.columns(req.Fields)
	if err != nil {
		return nil, fmt.Errorf("checking an export: %w", err)
	}
	if _, err := r.arguments(req.Parameters); err != nil {
		return nil, fmt.Errorf("checking an export: %w", err)
	}
	return masked(columns), nil
}
