package layers

// Version is that of Document in JSON. It grows when a field goes or changes its
// meaning; fields that are new do not change it.
const Version = 1

// Document is the whole report: of every store, and what follows from it.
type Document struct {
	Version int      `json:"version"`
	Stores  []Store  `json:"stores"`
	Twice   int64    `json:"twice"`  // bytes of layers that are in several stores, without the largest of each
	Advice  []Advice `json:"advice"` // those that save most first
}

// Store is the report of one manager's store.
type Store struct {
	Manager string `json:"manager"`
	Report
}

// Advice is something that a person may want to change.
type Advice struct {
	Rule    string   `json:"rule"`
	Manager string   `json:"manager,omitempty"` // "" when it is about several
	Images  []string `json:"images,omitempty"`  // Refs
	Chain   string   `json:"chain,omitempty"`   // the layer's chain ID
	Bytes   int64    `json:"bytes,omitempty"`   // that it would save; 0 when nobody knows
	Text    string   `json:"text"`              // what is so
	Do      string   `json:"do"`                // what to do about it
}

// NewDocument puts stores together.
func NewDocument(stores []Store) Document {
	d := Document{Version: Version, Stores: stores, Advice: []Advice{}}
	if d.Stores == nil {
		d.Stores = []Store{}
	}
	reports := make([]Report, len(stores))
	for i, s := range stores {
		reports[i] = s.Report
	}
	if d.Twice = Twice(reports...); d.Twice >= muchInLayer {
		d.Add([]Advice{{
			Rule: RuleManagers, Bytes: d.Twice, Text: "the same layers are in the stores of several managers",
			Do: "build images for one manager only, where nobody needs both (manager: in the config)",
		}})
	}
	return d
}

// Add adds advice, and keeps all of it in order.
func (d *Document) Add(advice []Advice) {
	d.Advice = append(d.Advice, advice...)
	sortAdvice(d.Advice)
}
