package follow_test

func child() {}
