package audit_test

const childEnv = "WARD_AUDIT_TEST_CHILD"

func appendForever(string) int { return 0 }
