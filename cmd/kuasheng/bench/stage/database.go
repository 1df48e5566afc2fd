package stage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver of the database
)

// remark fills a row up to an answer of about 800 bytes.
const remark = "按月足额缴存，无欠缴记录；账户状态正常，未办理提取、未办理贷款，未被司法冻结。" +
	"异地转移接续信息已核对一致，缴存单位与个人缴存比例均为百分之十二，缴存基数按上年度月平均工资核定；" +
	"本记录仅供异地贷款审核使用，不得用于其他目的，不得提供给第三方；如有异议，可向缴存地管理中心申请核查，核查结果将在十个工作日内答复。" +
	"数据每日更新一次，更新时间以系统记录为准，节假日照常更新。"

// writeDatabase makes the province's data: one indexed table.
func writeDatabase(ctx context.Context, path string) (err error) {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return fmt.Errorf("making the database: %w", err)
	}
	defer func() {
		if closing := db.Close(); err == nil && closing != nil {
			err = fmt.Errorf("closing the database: %w", closing)
		}
	}()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("filling the database: %w", err)
	}
	if err := fill(ctx, tx); err != nil {
		return errors.Join(fmt.Errorf("filling the database: %w", err), tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("filling the database: %w", err)
	}
	return nil
}

func fill(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `CREATE TABLE deposits (id_number TEXT NOT NULL, account_no TEXT NOT NULL, name TEXT NOT NULL, unit_name TEXT NOT NULL,
		balance TEXT NOT NULL, monthly_deposit TEXT NOT NULL, opened TEXT NOT NULL, last_month TEXT NOT NULL, remark TEXT NOT NULL)`)
	if err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, "INSERT INTO deposits VALUES (?"+strings.Repeat(", ?", 8)+")")
	if err != nil {
		return err
	}
	defer insert.Close()
	opened := time.Date(1890, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range people {
		person, err := personID(i)
		if err != nil {
			return err
		}
		_, err = insert.ExecContext(ctx, person, fmt.Sprintf("410100%08d", i), "测试人员", "测试市第一测试机械制造有限公司", fmt.Sprintf("%d.%02d", 10000+i*13, i%100),
			fmt.Sprintf("%d.00", 1000+i%3000), opened.AddDate(0, 0, i%3000).Format(time.DateOnly), "1899-12-31", remark)
		if err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, "CREATE UNIQUE INDEX deposits_by_person ON deposits (id_number)")
	return err
}
