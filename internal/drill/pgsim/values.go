package pgsim

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// decodeArgument reads an argument in the type that the statement gives it.
func decodeArgument(types *pgtype.Map, oid uint32, format int16, raw []byte) (any, error) {
	switch oid {
	case pgtype.Float8OID:
		var v float64
		err := types.Scan(oid, format, raw, &v)
		return v, err
	default:
		return string(raw), nil
	}
}

// encodeValue writes a value as the client asked for it: in binary with pgx's
// own types, as text in PostgreSQL's spelling.
func encodeValue(types *pgtype.Map, oid uint32, format int16, v any) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	if format == pgtype.BinaryFormatCode {
		return types.Encode(oid, format, v, []byte{})
	}
	switch v := v.(type) {
	case bool:
		if v {
			return []byte("t"), nil
		}
		return []byte("f"), nil
	case time.Time:
		return []byte(v.UTC().Format("2006-01-02 15:04:05.999999-07")), nil
	case pgtype.Timestamptz: // only for infinity
		return []byte(v.InfinityModifier.String()), nil
	}
	return fmt.Append([]byte{}, v), nil
}
