/** An account id, in groups that can be read and compared. */
import { groups } from '../format'

export function AccountId({ id, testid }: { id: string; testid?: string }) {
  return (
    <code class="account-id" data-testid={testid} data-account={id}>
      {groups(id, 4).map((group, i) => (
        <span key={i}>{group}</span>
      ))}
    </code>
  )
}
