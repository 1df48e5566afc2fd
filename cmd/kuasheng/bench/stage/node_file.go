package stage

// nodeYAML is the node's file. Its paths start where it lies. The limits are the defaults, but for the connections: as many as the database serves at
// once without getting slower.
const nodeYAML = `region: "` + provider + `"
replica: ` + replica + `
data_dir: data
identity:
  svid: svid.pem
  key: svid.key
  bundles: { ` + exchangeDomain + `: ` + trustedFile + ` }
exchange:
  id: ` + exchangeID + `
  addresses: [ @ADDRESS@ ]
  log_key: @LOGKEY@
sources:
  housing: { sqlite: { path: data.db } }
resources:
  - code: ` + resourceCode + `
    title: { zh: 住房公积金缴存信息, en: Housing provident fund deposits }
    abstract: { zh: 缴存账户与余额, en: Accounts and balances }
    provider: { name: 住房和城乡建设厅, uscc: ` + providerUSCC + ` }
    format: database
    share: { type: conditional, condition: 购房贷款审核, uses: [ 贷款审核 ], mode: service }
    update_cycle: daily
    grade: general_2
    source_department: ` + providerUSCC + `
    fields:
      - { name: account_no, title: { zh: 个人账号, en: Account number }, type: C }
      - { name: name, title: { zh: 姓名, en: Name }, type: C }
      - { name: unit_name, title: { zh: 单位名称, en: Employer }, type: C }
      - { name: balance, title: { zh: 余额, en: Balance }, type: Y, unit: CNY }
      - { name: monthly_deposit, title: { zh: 月缴存额, en: Monthly deposit }, type: Y, unit: CNY }
      - { name: opened, title: { zh: 开户日期, en: Opened }, type: D }
      - { name: last_month, title: { zh: 缴至日期, en: Paid until }, type: D }
      - { name: remark, title: { zh: 备注, en: Remark }, type: M }
    parameters:
      - { name: id_number, title: { zh: 公民身份号码, en: Citizen identity number }, type: C, format: citizen_identity_number, required: true, subject: true, max_length: 18 }
    source: housing
    query: SELECT account_no, name, unit_name, balance, monthly_deposit, opened, last_month, remark FROM deposits WHERE id_number = :id_number
    limits: { timeout: 5s, rows: 10, connections: 8 }
policy:
  pseudonym_key: pseudonym.key
  ticket_age: 30s
`
