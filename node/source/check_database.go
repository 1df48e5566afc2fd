package source

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/kuasheng/kuasheng/node/config"
)

// check prepares the statement and compares the columns and, where the engine tells, the parameters it describes.
func (b *database) check(ctx context.Context, columns []*column, args map[string]argument) []Finding {
	if e, ok := b.engine.(*postgresEngine); ok {
		if found := b.checkParameters(ctx, e); len(found) > 0 {
			return found
		}
	}
	rows, err := b.queries.start(ctx, b.values(args))
	if err != nil {
		return nil // the sample reports it
	}
	defer rows.Close()
	l, err := b.queries.shape(ctx, rows)
	if err != nil {
		return nil
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil
	}
	var found []Finding
	for _, c := range columns {
		at, ok := l.index[strings.ToLower(c.Column)]
		if !ok || at == twice {
			_, err := b.queries.read(rows, l, []*column{c})
			found = append(found, Finding{Field: c.Name, Line: c.At.Line, Problem: err.Error(), Cure: "correct the query or the field's column"})
			continue
		}
		if name := types[at].DatabaseTypeName(); !convertible(name, c.Type) {
			found = append(found, Finding{Field: c.Name, Line: c.At.Line,
				Problem: "column " + quote(c.Column) + " is " + name + ", which type " + string(c.Type) + " does not hold",
				Cure:    "declare the column's own type, or convert it in the query"})
		}
	}
	return found
}

// checkParameters compares the types that PostgreSQL inferred for the parameters with those declared.
func (b *database) checkParameters(ctx context.Context, e *postgresEngine) []Finding {
	conn, err := b.queries.db.Conn(ctx)
	if err != nil {
		return nil // the sample reports it
	}
	defer conn.Close()
	var oids []uint32
	err = conn.Raw(func(c any) error {
		pg, ok := c.(*stdlib.Conn)
		if !ok {
			return errors.ErrUnsupported
		}
		d, err := pg.Conn().Prepare(ctx, "", b.bound.Text)
		if err == nil {
			oids = d.ParamOIDs
		}
		return err
	})
	if err != nil {
		return nil
	}
	var found []Finding
	for i, name := range b.bound.Order {
		p := b.declare[name]
		if i >= len(oids) || acceptsParameter(oids[i], p.Type) {
			continue
		}
		inferred := "another type"
		if t, ok := pgtype.NewMap().TypeForOID(oids[i]); ok {
			inferred = t.Name
		}
		found = append(found, Finding{Parameter: name, Line: p.At.Line,
			Problem: "PostgreSQL takes it as " + inferred + ", which does not fit its type " + string(p.Type),
			Cure:    "declare the column's type, or write a CAST around :" + name})
	}
	return found
}

// acceptsParameter reports whether every value of the declared type is one of PostgreSQL's type.
func acceptsParameter(oid uint32, t config.Type) bool {
	switch oid {
	case pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID, pgtype.NameOID, pgtype.UnknownOID:
		return true // their text form is text
	case pgtype.NumericOID:
		return t == config.TypeNumber || t == config.TypeCurrency || t == config.TypeInteger || t == config.TypeDouble || t == config.TypeFloat
	case pgtype.Int8OID:
		return t == config.TypeInteger
	case pgtype.Int4OID, pgtype.Int2OID:
		return t == config.TypeInteger // larger values are refused by the server
	case pgtype.Float8OID, pgtype.Float4OID:
		return t == config.TypeDouble || t == config.TypeFloat || t == config.TypeInteger || t == config.TypeNumber || t == config.TypeCurrency
	case pgtype.DateOID:
		return t == config.TypeDate
	case pgtype.TimestampOID, pgtype.TimestamptzOID:
		return t == config.TypeTime || t == config.TypeDate
	case pgtype.BoolOID:
		return t == config.TypeLogical
	}
	return true // uuid, domains and the like: the sample tells
}

// convertible reports whether a column of the engine's type can hold values of the declared one. Text can hold
// anything; what it does hold the sample tells. Types that are not listed are left to the sample too.
func convertible(databaseType string, t config.Type) bool {
	name, _, _ := strings.Cut(strings.ToUpper(strings.TrimPrefix(databaseType, "UNSIGNED ")), "(")
	fits := func(types ...config.Type) bool {
		for _, one := range types {
			if one == t {
				return true
			}
		}
		return false
	}
	const c, m, g = config.TypeString, config.TypeMemo, config.TypeGeneral
	switch strings.TrimSpace(name) {
	case "INT2", "INT4", "INT8", "INT", "INTEGER", "BIGINT", "SMALLINT", "MEDIUMINT", "TINYINT", "YEAR":
		return !fits(config.TypeDate, config.TypeTime)
	case "NUMERIC", "DECIMAL":
		return fits(config.TypeNumber, config.TypeCurrency, config.TypeInteger, config.TypeDouble, config.TypeFloat, c, m, g, config.TypeLogical)
	case "FLOAT4", "FLOAT8", "FLOAT", "DOUBLE", "REAL":
		return fits(config.TypeDouble, config.TypeFloat, config.TypeNumber, config.TypeCurrency)
	case "DATE":
		return fits(config.TypeDate)
	case "TIMESTAMP", "TIMESTAMPTZ", "DATETIME":
		return fits(config.TypeTime, config.TypeDate)
	case "BOOL", "BOOLEAN":
		return fits(config.TypeLogical)
	case "BYTEA":
		return fits(g)
	}
	return true
}
