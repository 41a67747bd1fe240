package gvariant

import (
	"math"
	"math/bits"
)

// Swap returns the value with the bytes of each number in the other order, at any
// depth, also in variants. Byte strings and texts are shared with v.
func (v Variant) Swap() Variant { return Variant{v.Type, swap(v.Value)} }

func swap(v any) any {
	switch x := v.(type) {
	case int16:
		return int16(bits.ReverseBytes16(uint16(x)))
	case uint16:
		return bits.ReverseBytes16(x)
	case int32:
		return int32(bits.ReverseBytes32(uint32(x)))
	case uint32:
		return bits.ReverseBytes32(x)
	case int64:
		return int64(bits.ReverseBytes64(uint64(x)))
	case uint64:
		return bits.ReverseBytes64(x)
	case float64:
		return math.Float64frombits(bits.ReverseBytes64(math.Float64bits(x)))
	case Variant:
		return x.Swap()
	case Just:
		return Just{swap(x.Value)}
	case Entry:
		return Entry{swap(x.Key), swap(x.Value)}
	case Tuple:
		return Tuple(swapAll(x))
	case []any:
		return swapAll(x)
	}
	return v
}

func swapAll(list []any) []any {
	out := make([]any, len(list))
	for i, x := range list {
		out[i] = swap(x)
	}
	return out
}
