package mailing

// MaxFacetTags is how many tags [Facets] holds at most.
const MaxFacetTags = 500

// Facets are the values by which a filter can choose clients, as they occur in the
// directory, each list in order.
type Facets struct {
	Tags []string
	// MoreTags reports that there are more than [MaxFacetTags].
	MoreTags      bool
	OperatorCodes []string
}
