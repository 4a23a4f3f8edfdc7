/** The worker's entry. */
import { expose } from 'comlink';
import { Service } from './service.ts';

// Held as long as this worker lives: the page, waiting for it, learns of a worker that ended without a word.
void (navigator as Partial<Navigator>).locks?.request(self.name, () => new Promise(() => {}));
expose(new Service());
