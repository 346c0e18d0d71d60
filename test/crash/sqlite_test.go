//go:build !postgres

package crash_test

func kinds() []kind { return []kind{inSQLite()} }
