package httpapi

// DecodeRegistration reads a registration and its tables, and returns how many
// topics it has.
func DecodeRegistration(body []byte) (int, error) {
	r, err := readRegistration(body)
	if err != nil {
		return 0, err
	}
	c, err := r.content(Limits{}.withDefaults().Topics)
	return len(c.Topics), err
}
