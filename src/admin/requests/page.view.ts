import { ApiProperty } from '@nestjs/swagger';
import type { Page } from './page.js';

export interface PageView<View> {
  readonly items: readonly View[];
  readonly next_cursor: string | null;
}

/** The class of a page of these views. Its subclass gives OpenAPI a name. */
export function PageViewOf<Row, View>(
  ItemView: new (row: Row) => View,
): new (page: Page<Row>) => PageView<View> {
  class ItemsView implements PageView<View> {
    @ApiProperty({ type: [ItemView], description: 'The rows of this page.' })
    readonly items: readonly View[];
    @ApiProperty({
      type: String,
      nullable: true,
      description: 'The `cursor` of the next page; null on the last.',
    })
    readonly next_cursor: string | null;

    constructor({ rows, nextCursor }: Page<Row>) {
      this.items = rows.map((row) => new ItemView(row));
      this.next_cursor = nextCursor;
    }
  }
  return ItemsView;
}
